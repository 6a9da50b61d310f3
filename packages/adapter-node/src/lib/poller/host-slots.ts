/**
 * Attempts in flight by destination host, of all workspaces together. A customer's URL is anybody's server: however many
 * endpoints name one, it gets no more than this from one process.
 */
export class HostSlots {
  readonly #most: number
  readonly #running = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  /** How many more may begin; Infinity for a host that is not known yet. */
  room(host: string | undefined): number {
    return host === undefined ? Infinity : Math.max(0, this.#most - (this.#running.get(host) ?? 0))
  }

  began(host: string | undefined): void {
    if (host !== undefined) this.#running.set(host, (this.#running.get(host) ?? 0) + 1)
  }

  ended(host: string | undefined): void {
    if (host === undefined) return
    const left = (this.#running.get(host) ?? 1) - 1
    if (left > 0) this.#running.set(host, left)
    else this.#running.delete(host)
  }
}
