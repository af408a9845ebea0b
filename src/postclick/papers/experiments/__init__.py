"""The tables and figures of the two papers: arms, columns, claims, one file each."""
