import type { OutboxDatabase } from '@keepsend/outbox'
import { sqliteDialect } from '@keepsend/outbox/sqlite'
import { expect, it } from 'vitest'
import { PLAINTEXT, createSecretStore } from '../secrets/secret-store.ts'
import { createCheckUrl } from '../url-policy/check-url.ts'
import { createEndpointCache } from './endpoint-cache.ts'

// An unhandled rejection ends a Node process, and fails this test.
it('a failure recorded while the endpoint is read causes no unhandled rejection when the read fails', async () => {
  const db: OutboxDatabase = {
    dialect: sqliteDialect,
    run: () => Promise.reject(new Error('the disk is gone')),
    atomic: () => Promise.reject(new Error('the disk is gone')),
  }
  const targets = createEndpointCache(db, createSecretStore(PLAINTEXT), createCheckUrl({}), () => 0)
  const read = targets.get('ep_1')
  targets.failed('ep_1', 1, 10)
  await expect(read).rejects.toThrow('the disk is gone')
  await new Promise((resolve) => setTimeout(resolve))
})
