import type { Child } from './child.ts'
import type { Installation } from './installation.ts'

/** What the story is played on: how the app is started there, and how much it can bear. */
export interface Stage {
  /** In words. */
  place: string
  /**
   * Starts the app on what is in the folder, which is empty at first. A port of `'0'` takes a free one and is the first
   * start: its `ready` brings the operator's API key.
   */
  start(folder: string, port: string): Promise<Child>
  tours: number
  kills: number
  /** When one of the endpoints begins to refuse requests. */
  failsFrom: 'start' | 'kill'
  /** Requests that must be open at the receiver, unanswered, when the app is killed. */
  inFlight: number
  /** How long what is still on its way at the end may take, in ms. */
  drainMs: number
  /** What the platform does by the clock, where nothing does it locally. What it answers is printed. */
  clock?: { everyMs: number; tick(url: string): Promise<string | undefined> }
  /** After the reckoning. Prints what it finds; whether it found all well. */
  epilogue?(installation: Installation): Promise<boolean>
}
