"""What the scenario and blackbox tests and the demo share. Python 3 standard library only."""
