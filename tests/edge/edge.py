#!/usr/bin/python3
"""A stand-in for a CDN edge: for tests and demonstration only (see README.md beside this).

    edge.py --listen 127.0.0.1:8090 --origin 127.0.0.1:8080 --policy none
"""

from standin.main import main

if __name__ == "__main__":
    main()
