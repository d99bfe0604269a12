"""A client of a handshake revision before a server that knows only 2026-07-28.

Such a client cannot fall forward (2026-07-28, Versioning: "legacy clients have no fall-forward mechanism"), so the
gateway speaks for it, from its `initialize` on. Its requests become stateless ones **before** they are judged, each
round of them, so that nothing goes another way through the policy than a client of that revision would.

    words      what one message of the one era says in the other                                               pure
    rounds     `input_required` as questions to the client, and the call made again with its answers
    listening  one `subscriptions/listen` in place of subscriptions and of the stream that the server speaks on
    bridge     who is open, and which way each message takes

Whether a server is such a one is found out from its answer to the client's own `initialize`; nothing is probed before.
"""
