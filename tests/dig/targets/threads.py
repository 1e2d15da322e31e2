"""CPython with threads: two wait (a lock, a queue), one computes, each below named functions."""
import queue
import threading

lock = threading.Lock()
items = queue.Queue()


def on_lock():
    lock.acquire()


def on_queue():
    items.get()


def compute():
    n = 0
    while True:
        n = (n * 31 + 7) % 1000003


lock.acquire()
for run in (on_lock, on_queue, compute):
    threading.Thread(target=run, name=run.__name__, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
