"""Controller, agents and real Open vSwitch: sessions, pushes, kill -9, drift, trust, and what hostile ones may do."""
