import { createEngine, newSecret } from '@keepsend/engine'
import { eventQueueContract } from '@keepsend/engine/testing'
import { DurableEventQueue, createNodeSigner, createUndiciSender, migrate, openSqlite } from '../src/index.ts'
import { type Request, startReceiver } from './receiver.ts'
import { temporaryFile, until } from './rig.ts'

eventQueueContract('DurableEventQueue on a SQLite file', async (settings) => {
  const db = openSqlite(temporaryFile())
  await migrate(db)
  // Rows that the tests insert on this connection trigger no poll: the safety poll finds them.
  const queue = new DurableEventQueue({ db, pollMs: 100 })
  const sender = createUndiciSender({ urlPolicy: settings.urlPolicy ?? {} })
  const engine = createEngine({ db, queue, sender, signer: createNodeSigner(), ...settings })
  await queue.start(engine)
  const toDo = db.connection
    .prepare(
      `select count(*) from pending_events, keepsend_clock
      where status = 'pending' and (due_at is null or due_at <= ms or claimed_at is not null)`,
    )
    .pluck()
  return {
    db,
    engine,
    queue,
    async receiver() {
      let how: number | 'hold' = 200
      let held: Request[] = []
      const receiver = await startReceiver((request) => {
        if (how === 'hold') held.push(request)
        else request.answer(how)
      })
      const secret = newSecret()
      return {
        url: receiver.url,
        secret,
        async answer(next) {
          how = next
          if (next === 'hold') return
          for (const request of held) request.answer(next)
          held = []
        },
        async arrivals() {
          receiver.verifyAll(secret)
          return receiver.requests
        },
      }
    },
    drain: () => until(() => toDo.get() === 0),
    async close() {
      await queue.stop()
      await sender.close()
      db.close()
    },
  }
})
