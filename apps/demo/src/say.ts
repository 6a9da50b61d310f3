const started = performance.now()

/** The seconds since the story began. */
export function seconds(): string {
  return ((performance.now() - started) / 1000).toFixed(1)
}

/** Prints a line of the story with its time. */
export function say(text: string): void {
  console.log(`${seconds().padStart(5)} s  ${text}`)
}
