import { model, Schema } from 'mongoose'

const idSchema = new Schema(
  { projectId: String, microsite: String, type: String, day: String },
  { _id: false },
)

const schema = new Schema(
  { _id: { type: idSchema, required: true }, count: { type: Number, required: true } },
  { collection: 'eventcounts', versionKey: false },
)

export const EventCount = model('EventCount', schema)
