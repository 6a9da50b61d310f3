import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { migrateOutbox } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { outboxContract } from '@keepsend/outbox/testing'

// A D1 database has one binding per Worker, so the rival is another view of it.
outboxContract('D1 in workerd', async () => {
  await reset()
  const db = fromD1(env.DB)
  await migrateOutbox(db)
  return { db, rival: fromD1(env.DB), close: async () => {} }
})
