import { parseArgs } from 'node:util'

/** The arguments of a run of bench. */
export interface Arguments {
  /** Names of workloads, in the given order; all of them without names. */
  workloads: string[]
  rounds: number
  events: number
  quick: boolean
  /** The ref to compare with. */
  against?: string | undefined
  /** The smallest ratio of this tree's speed to the other's that counts as not worse. */
  atLeast: number
  /** Scenarios of `neighbours`; all of them if not given. */
  only?: string[] | undefined
  /** The store of `neighbours`. @default each */
  store?: 'sqlite' | 'postgres' | undefined
  /** How many processes of `neighbours` deliver. @default 1, then 4 */
  processes?: number | undefined
}

export interface KnownWorkloads {
  all: readonly string[]
  /** Workloads that `--against` can compare. */
  comparable: readonly string[]
  /** The scenarios of `neighbours`. */
  parts: readonly string[]
}

/** Fewer paired rounds leave an interval too wide to decide about a few percent. */
const LEAST_ROUNDS_AGAINST = 15
// Once in each order.
const QUICK_ROUNDS_AGAINST = 2
const DEFAULT_AT_LEAST = 0.97

/** Reads the command line. Throws an error whose message is for the user. */
export function readArguments(args: readonly string[], { all, comparable, parts }: KnownWorkloads): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      events: { type: 'string' },
      quick: { type: 'boolean', default: false },
      against: { type: 'string' },
      'at-least': { type: 'string' },
      only: { type: 'string' },
      store: { type: 'string' },
      processes: { type: 'string' },
    },
    allowPositionals: true,
  })
  const { quick, against } = values
  for (const name of positionals) {
    if (!all.includes(name)) throw new Error(`bench has no workload "${name}"; it has ${all.join(', ')}`)
  }
  const events = numberOf('--events', values.events, quick ? 2000 : 20_000)
  if (!(events >= 1000)) throw new Error(`--events must be 1000 or more; found ${values.events}`)
  const part = partOf(values, parts)
  if (Object.keys(part).length > 0 && (against !== undefined || positionals.join() !== 'neighbours')) {
    throw new Error('--only, --store and --processes choose a part of neighbours: name it, alone and without --against')
  }
  if (against === undefined) {
    if (values['at-least'] !== undefined)
      throw new Error('--at-least is the target of a comparison: give --against too')
    const rounds = numberOf('--rounds', values.rounds, quick ? 1 : 5)
    const workloads = positionals.length > 0 ? positionals : [...all]
    return { workloads, rounds, events, quick, atLeast: DEFAULT_AT_LEAST, ...part }
  }
  const others = positionals.filter((name) => !comparable.includes(name))
  if (others.length > 0) {
    throw new Error(`--against cannot compare ${others.join(', ')}; it compares ${comparable.join(', ')}`)
  }
  const rounds = numberOf('--rounds', values.rounds, quick ? QUICK_ROUNDS_AGAINST : LEAST_ROUNDS_AGAINST)
  if (!quick && rounds < LEAST_ROUNDS_AGAINST) {
    throw new Error(`--against needs ${LEAST_ROUNDS_AGAINST} rounds or more, or --quick; found --rounds ${rounds}`)
  }
  const atLeast = Number(values['at-least'] ?? DEFAULT_AT_LEAST)
  if (!(atLeast > 0 && atLeast < Number.POSITIVE_INFINITY)) {
    throw new Error(`--at-least must be a ratio above 0, such as 0.97; found ${values['at-least']}`)
  }
  const workloads = positionals.length > 0 ? positionals : [...comparable]
  return { workloads, rounds, events, quick, against, atLeast }
}

/** A part of `neighbours`, with only the properties that were given. */
function partOf(
  { only, store, processes }: { only?: string; store?: string; processes?: string },
  parts: readonly string[],
): Pick<Arguments, 'only' | 'store' | 'processes'> {
  const chosen = only?.split(',')
  const unknown = chosen?.find((id) => !parts.includes(id))
  if (unknown !== undefined) throw new Error(`--only takes ${parts.join(', ')}; found ${unknown}`)
  if (store !== undefined && store !== 'sqlite' && store !== 'postgres') {
    throw new Error(`--store must be sqlite or postgres; found ${store}`)
  }
  return {
    ...(chosen && { only: chosen }),
    ...(store && { store }),
    ...(processes !== undefined && { processes: numberOf('--processes', processes, 1) }),
  }
}

function numberOf(option: string, given: string | undefined, fallback: number): number {
  const number = given === undefined ? fallback : Number(given)
  if (!Number.isInteger(number) || number < 1) {
    throw new Error(`${option} must be a whole number, 1 or more; found ${given}`)
  }
  return number
}
