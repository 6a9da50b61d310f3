import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { members, orm } from '../tables.ts'

const role = z.enum(['owner', 'member', 'guest'])
const memberInput = z.strictObject({ name: z.string().min(1).max(80), role: role.default('member') })
const roleInput = z.strictObject({ role })

export const memberRoutes = new Hono<AppEnv>()

memberRoutes.get('/members', async (c) => c.json({ data: await list(c, members) }))

memberRoutes.post('/members', async (c) => {
  const input = await readJson(c, memberInput)
  const member = { id: uuidv7(), workspaceId: c.get('workspaceId'), ...input, createdAt: now() }
  return commitChange(c, {
    writes: [orm.insert(members).values(member)],
    type: 'member.added',
    data: member,
    status: 201,
  })
})

memberRoutes.patch('/members/:id', async (c) => {
  const change = await readJson(c, roleInput)
  const member = await find(c, members, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.update(members).set(change).where(eq(members.id, member.id))],
    type: 'member.role_changed',
    data: { ...member, ...change },
  })
})

memberRoutes.delete('/members/:id', async (c) => {
  const member = await find(c, members, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(members).where(eq(members.id, member.id))],
    type: 'member.removed',
    data: member,
  })
})
