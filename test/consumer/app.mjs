// A small app, as a user has it: opens a file, publishes, and delivers one webhook to a receiver of its own. Run as it is and
// out of bundles: `app.mjs <file> <driver>`. Ends with `delivered`.
import { createServer } from 'node:http'
import { DurableEventQueue, createNodeSigner, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { consoleLogger, createEngine, createKeyRing } from '@keepsend/engine'

async function main(file, driver) {
  const arrived = Promise.withResolvers()
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => response.end())
    arrived.resolve(request.headers['webhook-id'])
  })
  await new Promise((listening) => receiver.listen(0, '127.0.0.1', listening))
  const { port } = receiver.address()

  const db = openSqlite(file, { driver })
  await migrate(db)
  const queue = new DurableEventQueue({ db })
  const urlPolicy = { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: [port] }
  const sender = createUndiciSender({ urlPolicy })
  const secrets = createKeyRing(process.env.KEEPSEND_SECRET_KEY)
  // A warning would be in the output, and the lines of actions are not.
  const logger = { ...consoleLogger, info() {} }
  const engine = createEngine({ db, queue, secrets, sender, signer: createNodeSigner(), logger })
  await queue.start(engine)
  await engine.endpoints.create('w1', { url: `http://127.0.0.1:${port}/hooks` })
  await engine.commit({ writes: [], events: [{ type: 'message.created', workspaceId: 'w1', data: { text: 'hello' } }] })
  const id = await arrived.promise
  await queue.stop({ drainMs: 5000 })
  await sender.close()
  db.close()
  receiver.close()
  receiver.closeAllConnections()
  console.log(id.startsWith('evt_') ? 'delivered' : `delivered ${id}`)
}

main(process.argv[2], process.argv[3]).catch((error) => {
  console.error(`${error.code} ${error.message}`)
  process.exit(1)
})
