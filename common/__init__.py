"""What all packages share: settings, errors, logging, times, files and locks, commands, where metrics are counted."""
