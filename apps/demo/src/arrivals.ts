import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** One verified webhook, as the receiver records it. */
export interface Arrival {
  hook: string
  /** The header `webhook-id`, which repeats of an event share. */
  id: string
  type: string
}

/** Counts of the webhooks at one hook. */
export interface HookSummary {
  /** Different webhooks that were verified. */
  verified: number
  /** Copies beyond the first. */
  duplicated: number
  /** Requests that failed verification. */
  unverified: number
}

/** Records arrivals by hook and `webhook-id`. With a file, they survive a restart of the receiver. */
export class Arrivals {
  readonly #file: string | undefined
  readonly #hooks = new Map<string, { seen: Map<string, { type: string; count: number }>; unverified: number }>()

  constructor(file?: string) {
    this.#file = file
    if (file === undefined || !existsSync(file)) return
    // An incomplete last line was cut by a crash before its request was answered, so the sender repeats that one.
    for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) this.#count(JSON.parse(line) as Arrival)
  }

  /** Call before the response, so that a webhook answered with 2xx is never lost. */
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

  /** The webhooks of one hook by id. */
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
