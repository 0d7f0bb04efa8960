"""How much at a time: load shedding, deadlines, single flight, group commit, answers that are kept."""
