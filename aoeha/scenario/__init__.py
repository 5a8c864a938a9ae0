"""The language of incidents and drills: one grammar, read by the simulator and by the rack."""
