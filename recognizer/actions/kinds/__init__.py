"""The kinds of actions: keys, programs, addresses, brokers, ports, speech and sounds."""
