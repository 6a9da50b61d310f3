import { EngineError } from '@keepsend/engine'
import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { announceChange, commitChange, now, readJson } from '../change.ts'
import { type AppEnv, OPERATOR } from '../context.ts'
import { notFound, select } from '../read.ts'
import { orm, workspaces } from '../tables.ts'

const workspaceInput = z.strictObject({ name: z.string().min(1).max(80) })
const apiKeyInput = z.strictObject({ name: z.string().min(1).max(80) })

/** Workspaces and their API keys, for the operator. The events go to the operator's endpoints. */
export const workspaceRoutes = new Hono<AppEnv>()

workspaceRoutes.use('/workspaces/*', async (c, next) => {
  if (c.get('workspaceId') !== OPERATOR) throw new EngineError('forbidden', "this needs the operator's API key")
  await next()
})

workspaceRoutes.get('/workspaces', async (c) => c.json({ data: await select(c, workspaces, workspaces.id) }))

workspaceRoutes.post('/workspaces', async (c) => {
  const workspace = { id: uuidv7(), ...(await readJson(c, workspaceInput)), createdAt: now() }
  return commitChange(c, {
    writes: [orm.insert(workspaces).values(workspace)],
    type: 'workspace.created',
    data: workspace,
    status: 201,
  })
})

workspaceRoutes.patch('/workspaces/:id', async (c) => {
  const { name } = await readJson(c, workspaceInput)
  const [workspace] = await select(c, workspaces, workspaces.id, eq(workspaces.id, c.req.param('id')))
  if (!workspace) return notFound(c.req.param('id'))
  return commitChange(c, {
    writes: [orm.update(workspaces).set({ name }).where(eq(workspaces.id, workspace.id))],
    type: 'workspace.renamed',
    data: { ...workspace, name },
  })
})

workspaceRoutes.delete('/workspaces/:id', async (c) => {
  const [workspace] = await select(c, workspaces, workspaces.id, eq(workspaces.id, c.req.param('id')))
  if (!workspace) return notFound(c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(workspaces).where(eq(workspaces.id, workspace.id))],
    type: 'workspace.deleted',
    data: workspace,
  })
})

// The engine commits keys itself, so the event follows. Only this response contains the key, the event does not.
workspaceRoutes.post('/workspaces/:id/api-keys', async (c) => {
  const { name } = await readJson(c, apiKeyInput)
  const [workspace] = await select(c, workspaces, workspaces.id, eq(workspaces.id, c.req.param('id')))
  if (!workspace) return notFound(c.req.param('id'))
  const { id, key } = await c.get('keepsend').apiKeys.create({ workspaceId: workspace.id, name })
  const data = { id, name, workspaceId: workspace.id }
  const announced = await announceChange(c, { type: 'api_key.created', data, status: 201 })
  return c.json({ ...((await announced.json()) as object), key }, 201)
})
