// A server as a self-hosting reader has it, for test/release/openapi.test.ts: the folder of its database is the argument.
import { createNodeServer } from '@keepsend/adapter-node'
import { OPERATOR_SCOPES, SCOPES } from '@keepsend/engine'

const server = await createNodeServer({
  file: `${process.argv[2]}/server.db`,
  port: 0,
  secrets: 'plaintext-for-development',
  engine: {
    history: { search: ['data.id'] },
    urlPolicy: { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] },
  },
})
const { key } = await server.engine.apiKeys.create({
  workspaceId: 'w1',
  scopes: [...SCOPES, ...OPERATOR_SCOPES],
})
console.log(JSON.stringify({ url: `${server.url}/webhooks`, key }))
