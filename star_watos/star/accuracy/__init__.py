"""How well the algorithms of a core serve a real model: `star accuracy`."""
