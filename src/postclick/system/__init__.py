"""What this package asks of the machine: threads, compiled code, memory, files."""
