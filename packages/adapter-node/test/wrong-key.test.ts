import { createKeyRing } from '@keepsend/engine'
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { DurableEventQueue, createNodeServer } from '../src/index.ts'
import { TEST_KEYS } from './keys.ts'
import { PATIENCE_MS, rig, rival, signal, temporaryFile } from './rig.ts'

const OTHER_KEYS = createKeyRing([{ id: 'test', key: randomBytes(32).toString('base64') }])

it('a queue refuses to start with a key of another database', { timeout: PATIENCE_MS }, async () => {
  const first = await rig()
  await first.queue.start(first.engine)
  const second = await rival(first, { engine: { secrets: OTHER_KEYS } })
  await expect(second.queue.start(second.engine)).rejects.toMatchObject({ code: 'secret_unreadable' })
  const third = await rival(first)
  await third.queue.start(third.engine)
})

it('a stop during the start stops the started parts', { timeout: PATIENCE_MS }, async () => {
  const [asked, answered] = [signal(), signal()]
  let listening = 0
  const made = await rig({
    engine: {
      secrets: {
        ...TEST_KEYS,
        async wrap(...given) {
          asked.resolve()
          await answered.promise
          return TEST_KEYS.wrap(...given)
        },
      },
    },
  })
  const listen = () => {
    listening++
    return async () => void listening--
  }
  const queue = new DurableEventQueue({ db: { ...made.db, listen } })
  const started = [queue.start(made.engine), queue.start(made.engine)]
  await asked.promise
  const stopped = queue.stop({ drainMs: 0 })
  answered.resolve()
  await Promise.all([...started, stopped])
  expect(listening).toBe(0)
  await queue.start(made.engine)
  expect(listening).toBe(1)
  await queue.stop({ drainMs: 0 })
})

it('a server rejects, does not listen, and closes its file', { timeout: PATIENCE_MS }, async () => {
  const file = temporaryFile()
  const options = { file, port: 0, signals: false }
  await (await createNodeServer({ ...options, secrets: TEST_KEYS })).stop()
  await expect(createNodeServer({ ...options, secrets: OTHER_KEYS })).rejects.toMatchObject({
    code: 'secret_unreadable',
  })
  await (await createNodeServer({ ...options, secrets: TEST_KEYS })).stop()
})
