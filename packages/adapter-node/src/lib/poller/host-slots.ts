/**
 * Counts attempts in flight by destination host, of all workspaces together. An endpoint's URL may name anybody's server:
 * however many endpoints name it, one process has no more than `limit` attempts in flight there.
 */
export class HostSlots {
  readonly #limit: number
  readonly #running = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** How many more attempts may start; Infinity for a host that is not known yet. */
  room(host: string | undefined): number {
    return host === undefined ? Infinity : Math.max(0, this.#limit - (this.#running.get(host) ?? 0))
  }

  started(host: string | undefined): void {
    if (host !== undefined) this.#running.set(host, (this.#running.get(host) ?? 0) + 1)
  }

  finished(host: string | undefined): void {
    if (host === undefined) return
    const left = (this.#running.get(host) ?? 1) - 1
    if (left > 0) this.#running.set(host, left)
    else this.#running.delete(host)
  }
}
