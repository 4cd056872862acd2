"""How good a reconstruction, a sample or a representation is: numbers for tables, not losses."""
