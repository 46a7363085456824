"""``python -m indimail_kit`` is ``indimail-kit``."""

from indimail_kit.cli import main

if __name__ == "__main__":
    main()
