// Replay jobs on D1: the cron steps them, each step is one batch, and a queue message follows each delivery.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { consumeBatch, sweep } from '../../src/index.ts'
import { faulty } from './faulty.ts'
import { type Rig, batchOf, rig } from './rig.ts'

const exec = (sql: string) => env.DB.prepare(sql).run()

/** What was settled becomes a second older, and every job is due. */
async function age() {
  await exec('update pending_events set completed_at = completed_at - 1000 where completed_at is not null')
  await exec('update keepsend_attempts set id = id - 4096000')
}

/** An endpoint with two failed deliveries and two delivered ones, whose rows are gone, and a job of all of them. */
async function job(wrap?: Parameters<typeof rig>[0]) {
  const made = await rig({ engine: { history: { events: true, attempts: 'all' }, retrySchedule: [] }, ...wrap })
  const hook = await made.addEndpoint({ status: 400 })
  const failed = await made.publish(2)
  await made.consume()
  await hook.answer({ status: 200 })
  const all = await made.publish(2)
  await made.consume()
  await age()
  expect((await made.rows()).map(({ status }) => status)).toEqual(['failed', 'failed'])
  const ids = [...new Set([...failed, ...all])]
  expect(ids).toHaveLength(4)
  const created = await made.engine.replays.create('w', { what: 'ids', ids })
  return { ...made, hook, created }
}

/** Ticks of the cron, each with its messages, until the job has ended. */
async function tick(made: Rig & { created: { id: string } }) {
  for (let ticks = 0; ticks < 5; ticks++) {
    await exec('update keepsend_replays set due_at = 0')
    await exec('update keepsend_endpoints set resume_at = 0 where resume_at is not null')
    await sweep(made.policy)
    const messages = made.sent.splice(0).map(({ body }) => body)
    await consumeBatch(made.policy, batchOf(messages))
    const replay = await made.engine.replays.get('w', made.created.id)
    if (replay.endedAt !== null) return replay
  }
  throw new Error('the job did not end')
}

describe('a replay job on D1', () => {
  it('sends failed and delivered deliveries again with the ticks of the cron, each once', async () => {
    const made = await job()
    expect(await tick(made)).toMatchObject({ state: 'completed', planned: 4, sent: 4 })
    expect(await made.rows()).toEqual([])
    const ids = (await made.hook.arrivals()).map(({ headers }) => headers['webhook-id'])
    expect(ids).toHaveLength(8)
    expect(new Set(ids).size).toBe(4)
  })

  it.each(['refused', 'answer lost', 'dies'] as const)(
    'goes on after a step whose batch %s, and sends each once',
    async (fate) => {
      const faults = faulty(env.DB)
      let wrapped = false
      const made = await job({ wrap: (plain) => (wrapped ? plain : ((wrapped = true), fromD1(faults.d1))) })
      await exec('update keepsend_replays set due_at = 0')
      const isStep = (verbs: string[]): boolean => verbs.length > 1 && verbs[0] === 'update'
      faults.judge(({ verbs }) => (isStep(verbs) ? fate : 'well'))
      await Promise.race([made.engine.worker.stepReplays(), faults.died()])
      expect(faults.calls.filter(({ verbs }) => isStep(verbs))).toHaveLength(1)
      const held = (await made.rows()).filter(({ status }) => status === 'held').length
      expect(held).toBe(fate === 'answer lost' ? 4 : 0)
      const policy = made.newIsolate()
      const next = { ...made, policy, engine: policy.engine }
      expect(await tick(next)).toMatchObject({ state: 'completed', planned: 4, sent: 4 })
      expect(await made.hook.arrivals()).toHaveLength(8)
    },
  )

  it('needs the indexes of lists for a replay of delivered deliveries, which D1 does not have by default', async () => {
    const made = await job()
    await expect(made.engine.replays.create('w', { what: 'delivered' })).rejects.toMatchObject({
      code: 'not_retained',
      message: expect.stringContaining('0004_history_lists.sql') as string,
    })
  })
})
