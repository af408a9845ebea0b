"""What the README and the pages in docs show, run as written."""
