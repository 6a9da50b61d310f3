// The process of one contender: see protocol.ts. It ends when its parent does.
import { readFileSync } from 'node:fs'
import { type Handlers, answerAsks } from '../ask.ts'
import type { Contender, Open } from '../contender.ts'
import type { Asks, WorkerSetup } from '../protocol.ts'

const setup = JSON.parse(process.argv[2] ?? '{}') as WorkerSetup

function handlersFor(contender: Contender): Handlers<Asks> {
  let began = process.cpuUsage()
  let writtenBefore = 0
  return {
    async seed({ events }) {
      await contender.seed(events)
      return undefined
    },
    async start() {
      began = process.cpuUsage()
      writtenBefore = writtenBytes()
      await contender.start()
      return undefined
    },
    async stop() {
      const used = { cpuMs: cpuSince(began), writtenBytes: writtenBytes() - writtenBefore }
      await contender.stop()
      return used
    },
    left: () => contender.left(),
    async warmUp({ ms, callers }) {
      const end = performance.now() + ms
      await publishWhile(contender, callers, () => performance.now() < end)
      return undefined
    },
    async enqueue({ events, callers }) {
      const before = process.cpuUsage()
      const start = performance.now()
      await publishWhile(contender, callers, (index) => index < events)
      return { ms: performance.now() - start, cpuMs: cpuSince(before) }
    },
    publish: ({ perSecond, events }) => publishAtRate(contender, perSecond, events),
    memory: async () => peakMb(),
    async close() {
      await contender.close()
      return undefined
    },
  }
}

/** Publishes by this many callers, each of which awaits its own event before its next. */
async function publishWhile(contender: Contender, callers: number, go: (index: number) => boolean): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (go(next)) await contender.publish(next++)
    }),
  )
}

/**
 * Open loop: publishes each event at its time, or as soon after as a timer fires, without waiting for the ones before.
 */
async function publishAtRate(
  contender: Contender,
  perSecond: number,
  events: number,
): Promise<[id: string, atMs: number][]> {
  const published: Promise<[string, number]>[] = []
  const start = performance.now()
  while (published.length < events) {
    const dueIn = start + (published.length * 1000) / perSecond - performance.now()
    if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn))
    const at = Number(process.hrtime.bigint()) / 1e6
    published.push(contender.publish(published.length).then((id) => [id, at]))
  }
  return Promise.all(published)
}

/** By the system's count of this process: what it gave to files, before any is on the disk. 0 where it cannot be read. */
function writtenBytes(): number {
  if (process.platform !== 'linux') return 0
  const [, bytes = 0] = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8')) ?? []
  return Number(bytes)
}

/** The system's high-water mark; `maxRSS` of Node includes the parent process. */
function peakMb(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024
  const [, kb = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kb) / 1024
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

await answerAsks<Asks>(async () => {
  const { open } = (await import(`../contenders/${setup.file}.ts`)) as { open: Open }
  return handlersFor(await open(setup))
})
