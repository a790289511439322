"""Activities: what goes on between the parties of a group. Chapters 7 and 11.

In: templates, and records that members wrote. Out: what may be written, and what state it comes to.
It never knows a clock, a file or a link: who acts, and when, is for the wiring to say.
"""
