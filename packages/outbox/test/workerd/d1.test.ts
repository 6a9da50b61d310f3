import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { migrateOutbox } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { outboxContract } from '@keepsend/outbox/testing'

// One Worker's view is all there is of a D1 database, so a rival is another such view.
outboxContract('D1 in workerd', async () => {
  await reset()
  const db = fromD1(env.DB)
  await migrateOutbox(db)
  return { db, rival: fromD1(env.DB), close: async () => {} }
})
