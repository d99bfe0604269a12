"""The helper by itself: `python -m tests.e2e.helped` serves one request, as the gateway writes it, and ends."""

from gateway.credentials.child.main import main

if __name__ == "__main__":
    main()
