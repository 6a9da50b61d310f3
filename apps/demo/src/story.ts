// `pnpm demo`: the story on Node. `--short` for a test's patience.
import { nodeStage } from './stage-node.ts'
import { tellStory } from './telling.ts'

await tellStory(nodeStage({ short: process.argv.includes('--short') }))
