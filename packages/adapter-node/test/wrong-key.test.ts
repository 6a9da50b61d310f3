import { createKeyRing } from '@keepsend/engine'
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { createNodeServer } from '../src/index.ts'
import { TEST_KEYS } from './keys.ts'
import { PATIENCE_MS, rig, rival, temporaryFile } from './rig.ts'

const OTHER_KEYS = createKeyRing([{ id: 'test', key: randomBytes(32).toString('base64') }])

it('a queue does not start under a key that is not the database’s', { timeout: PATIENCE_MS }, async () => {
  const first = await rig()
  await first.queue.start(first.engine)
  const second = await rival(first, { engine: { secrets: OTHER_KEYS } })
  await expect(second.queue.start(second.engine)).rejects.toMatchObject({ code: 'secret_unreadable' })
  const third = await rival(first)
  await third.queue.start(third.engine)
})

it('a server rejects, listens nowhere, and its file is free again', { timeout: PATIENCE_MS }, async () => {
  const file = temporaryFile()
  const options = { file, port: 0, signals: false }
  await (await createNodeServer({ ...options, secrets: TEST_KEYS })).stop()
  await expect(createNodeServer({ ...options, secrets: OTHER_KEYS })).rejects.toMatchObject({
    code: 'secret_unreadable',
  })
  await (await createNodeServer({ ...options, secrets: TEST_KEYS })).stop()
})
