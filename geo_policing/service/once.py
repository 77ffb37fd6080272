"""What is made when it is first needed, by whoever needs it first, while everybody else goes on."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Once(Generic[Key, Value]):
    """Values by key, each made once. Safe to use from several threads.

    Who asks for what is being made waits for it; who asks for anything else does not.
    """

    def __init__(self) -> None:
        self._made: dict[Key, Value] = {}
        self._making: dict[Key, threading.Lock] = {}
        self._changing = threading.Lock()  # never held while something is made

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made now if nobody has made it.

        Parameters
        ----------
        key, make : Key, callable
            Whose value, and what makes it. What it raises is raised, and the next who asks tries again.
        """
        with self._changing:
            if key in self._made:
                return self._made[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._changing:
                if key in self._made:
                    return self._made[key]
            value = make()
            with self._changing:
                self._made[key] = value
            return value
