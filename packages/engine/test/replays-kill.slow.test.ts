// Two processes step one replay job, each killed with SIGKILL before each of its statements.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openFile, temporaryFile } from './database.ts'
import { drain, replayRig } from './replays.ts'

const PROGRAM = join(import.meta.dirname, 'replay-kill-process.ts')
const COUNT = 40
const MOST_DEATHS = 40

async function run(path: string, dies: number): Promise<'killed' | 'survived'> {
  const child = spawn(process.execPath, [PROGRAM, path, String(dies)], { stdio: ['ignore', 'ignore', 'inherit'] })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal === 'SIGKILL') return 'killed'
  expect(code).toBe(0)
  return 'survived'
}

it('two processes that are killed at every statement send each delivery of a job once', async () => {
  const path = temporaryFile()
  const { database } = openFile(path)
  const made = await replayRig({ on: database, secrets: 'plaintext-for-development' })
  const { id } = await made.addEndpoint()
  const events = await made.publish(COUNT)
  made.accept()
  events.push(...(await made.publish(COUNT)))
  await made.age()
  made.sender.requests.length = 0
  const job = await made.create({ what: 'ids', ids: events.map((eventId) => `${eventId}.${id}`) })

  let deaths = 0
  for (let dies = 0, survived = false; dies < MOST_DEATHS && !survived; dies++) {
    await made.exec('update keepsend_replays set due_at = 0')
    const fates = await Promise.all([run(path, dies), run(path, dies)])
    deaths += fates.filter((fate) => fate === 'killed').length
    survived = fates.every((fate) => fate === 'survived')
    await drain(made)
    // Whatever was committed was committed as a whole.
    const { sent } = await made.engine.replays.get('w1', job.id)
    expect(made.sender.requests).toHaveLength(sent)
  }
  // The looks and the claim, the endpoint, the statements of the step between its begin and its commit, and the look after it.
  expect(deaths).toBeGreaterThan(20)
  for (let rounds = 0; rounds < COUNT; rounds++) {
    await made.step()
    await drain(made)
  }
  expect(await made.engine.replays.get('w1', job.id)).toMatchObject({
    state: 'completed',
    sent: 2 * COUNT,
    skipped: { onItsWay: 0, noLongerStored: 0, changed: 0 },
  })
  const sent = made.sender.requests.map(({ headers }) => String(headers['webhook-id']))
  expect(sent.toSorted()).toEqual(events.toSorted())
}, 300_000)
