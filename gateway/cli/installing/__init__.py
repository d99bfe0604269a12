"""`install` and `uninstall`: from what a person wants to what is written, in steps that can be looked at before.

machine   this machine, and which client's file is meant
carrying  what the entry says: the words that start this program, flags, what is set in this terminal
planning  the new text of one file, and what else has to be kept or forgotten for it
view      what may be shown of a file that holds other people's secrets
applying  the plans put into effect, whole or not at all
"""
