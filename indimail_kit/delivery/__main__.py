"""python -m indimail_kit.delivery: qmail-send as a process, see `process`."""

import sys

from indimail_kit.delivery.process import main

if __name__ == "__main__":
    sys.exit(main())
