"""`aoeha aoe`."""
