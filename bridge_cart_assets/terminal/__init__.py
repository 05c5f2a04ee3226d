"""What the command shows: status, summaries, rows and progress. Reads; never writes."""
