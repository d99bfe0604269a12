"""The demonstration: a real gateway between the official SDK's client and the stand-in, and a story told with them.

document  the policy of the story
stage     the processes and the folder, while it lasts
acts      the story: each act does something, and checks what became of it
"""
