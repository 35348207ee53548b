"""Programs that use memOS, to read and to run."""
