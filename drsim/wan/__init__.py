"""What links can carry: types, encapsulation, TCP laws, capacity in time, outage and throttle calendars."""
