import { type Asked, startAsked } from '../ask.ts'
import { processFile } from '../build.ts'
import { senderCommand } from '../cores.ts'
import type { NeighbourAsks, NeighbourSetup, ReceiverAsks, ReceiverSetup } from './protocol.ts'

interface Receivers {
  url: string
  process: Asked<ReceiverAsks>
}

/** The processes of one round, on a database of their own. */
export interface Stage {
  /** Publishes for B. */
  publisher: Asked<NeighbourAsks>
  /** Publishes for A. */
  noise: Asked<NeighbourAsks>
  /** The processes that deliver. */
  workers: Asked<NeighbourAsks>[]
  /** B's receivers record the arrival of each event. */
  receivers: { a: Receivers; b: Receivers }
  /** Ends all of them, immediately. */
  end(): Promise<void>
}

/** Publishers and receivers run on the cores of the servers, the workers on those of senders. */
export async function startStage(setup: NeighbourSetup, processes: number): Promise<Stage> {
  const started: Promise<Pick<Asked<NeighbourAsks>, 'kill'>>[] = []
  const own = (file: string, argument: object): [string, string[]] => [
    process.execPath,
    [file, JSON.stringify(argument)],
  ]
  const app = processFile('neighbour')
  const startApp = (command: [string, string[]]): Promise<Asked<NeighbourAsks>> => {
    const starting = startAsked<NeighbourAsks>('neighbour', command)
    started.push(starting)
    return starting
  }
  const startReceivers = async (receiver: ReceiverSetup): Promise<Receivers> => {
    const starting = startAsked<ReceiverAsks>('receivers', own(processFile('neighbour-receiver'), receiver))
    started.push(starting)
    const asked = await starting
    return { process: asked, url: `http://127.0.0.1:${await asked.ask('port')}` }
  }
  // One that did not start has ended by itself.
  const end = async (): Promise<void> => {
    await Promise.allSettled(started.map(async (one) => (await one).kill()))
  }
  try {
    // The first creates the tables.
    const publisher = await startApp(own(app, setup))
    const [a, b, noise, ...workers] = await Promise.all([
      startReceivers({ records: false }),
      startReceivers({ records: true }),
      startApp(own(app, setup)),
      ...Array.from({ length: processes }, () => startApp(senderCommand(app, [JSON.stringify(setup)], processes))),
    ])
    return { publisher, noise, workers, receivers: { a, b }, end }
  } catch (error) {
    await end()
    throw error
  }
}
