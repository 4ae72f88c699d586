"""What trace and why not say beforehand, and what real packets do afterwards."""
