import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** One verified webhook, as the receiver remembers it. */
export interface Arrival {
  hook: string
  /** `webhook-id`: the same however often the event is sent. */
  id: string
  type: string
}

/** What arrived at one hook. */
export interface HookSummary {
  /** Different webhooks that were verified and taken. */
  verified: number
  /** Copies beyond the first. */
  duplicated: number
  /** Requests that failed verification: refused, and counted. */
  unverified: number
}

/** What has arrived, by hook and `webhook-id`. With a file, a receiver that starts again remembers it. */
export class Arrivals {
  readonly #file: string | undefined
  readonly #hooks = new Map<string, { seen: Map<string, { type: string; count: number }>; unverified: number }>()

  constructor(file?: string) {
    this.#file = file
    if (file === undefined || !existsSync(file)) return
    // A line without its end was cut by a crash, before its request was answered: the sender sends that one again.
    for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) this.#count(JSON.parse(line) as Arrival)
  }

  /** Remembers before the sender is answered, so that what was answered with 2xx is never forgotten. */
  add(arrival: Arrival): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(arrival)}\n`)
    this.#count(arrival)
  }

  refuse(hook: string): void {
    this.#of(hook).unverified++
  }

  summary(): Record<string, HookSummary> {
    return Object.fromEntries(
      [...this.#hooks].map(([hook, { seen, unverified }]) => {
        const copies = [...seen.values()].reduce((sum, { count }) => sum + count, 0)
        return [hook, { verified: seen.size, duplicated: copies - seen.size, unverified }]
      }),
    )
  }

  /** Every webhook of one hook by its id. */
  ofHook(hook: string): Record<string, { type: string; count: number }> {
    return Object.fromEntries(this.#of(hook).seen)
  }

  #count({ hook, id, type }: Arrival): void {
    const { seen } = this.#of(hook)
    const known = seen.get(id)
    if (known) known.count++
    else seen.set(id, { type, count: 1 })
  }

  #of(hook: string) {
    let known = this.#hooks.get(hook)
    if (!known) {
      known = { seen: new Map(), unverified: 0 }
      this.#hooks.set(hook, known)
    }
    return known
  }
}
