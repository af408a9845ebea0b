"""What is wrong or odd in a raw log, and a first schema for one."""
