import { describeEveryRoute, routesOf } from '../walk.ts'
import { openApp } from './app.ts'

describeEveryRoute(await routesOf(openApp), openApp)
