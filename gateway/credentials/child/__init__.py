"""The process in which OAuth happens: the SDK's client, driven by us.

    main       one request in, events out
    flow       renew a token, or sign in
    kept       what the SDK's client remembers, as records
    callback   where the browser comes back to
    exchange   HTTP: bounded, to checked addresses
    addresses  which addresses are allowed
    failures   the sentences

The SDK's `OAuthClientProvider` is an `httpx2.Auth`: a generator that yields requests and takes responses. It is driven
by hand here, and the request that it wants to authenticate is never sent: the relay has sent it, and brings the
challenge. So the SDK's lock is never held while the upstream thinks, and its code asks for metadata, registers, and
exchanges codes and refresh tokens, while this process decides what is sent, where to, and what is kept.
"""
