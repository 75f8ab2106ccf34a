"""What is played on real links: each a load and what befalls it."""

from tests.reality.flight import Story

STORIES = {
    story.name: story
    for story in (
        Story("T1, steady", mbit=1.536, share=0.7, seconds=60),
        Story("10 Mb/s, outage", mbit=10, share=0.7, seconds=50, cuts=((12, 8),)),
        Story(
            "DS3, slowed to a quarter", mbit=43.2, share=0.6, seconds=40, slow=((10, 8, 0.25),), length=16384
        ),
        Story(
            "10 Mb/s, journal overflows, resync",
            mbit=10,
            share=0.5,
            seconds=50,
            journal="4 MB",
            cuts=((10, 12),),
        ),
        Story("T1, 20 ms, outage", mbit=1.536, share=0.6, seconds=60, cuts=((15, 6),), delay=0.02),
        Story(
            "10 Mb/s, 20 ms, lossy, overflow",
            mbit=10,
            share=0.5,
            seconds=50,
            journal="4 MB",
            cuts=((10, 12),),
            delay=0.02,
            loss=1e-4,
        ),
        Story(
            "DS3, 20 ms, throttled",
            mbit=43.2,
            share=0.6,
            seconds=40,
            slow=((10, 8, 0.25),),
            length=16384,
            delay=0.02,
        ),
    )
}
SHORT = Story("short", mbit=10, share=0.8, seconds=10, cuts=((3, 2),))
