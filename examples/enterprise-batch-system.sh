#!/bin/bash
# The guide's batch processing system with monitoring (its last section): a namespace, two claims, scripts in a ConfigMap, a Job of
# twenty batches, five at a time, and a CronJob that cleans up.
#
# Needs the image busybox:1.35, from its registry, a mirror or a file (docs/images.md).
#
# Corrected where the guide's script fails on any cluster; each place is marked "corrected".
# Corrected: the script went on after every error and reported success at the end; now it stops at the first one.
set -euo pipefail

NAMESPACE="batch-processing"
echo "🏗️  Setting up enterprise batch processing system in namespace: $NAMESPACE"

# Corrected: `kubectl apply -f - --context` lacks the context's name, so no namespace was made and everything after it failed.
kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | \
kubectl apply -f -
# --overwrite: the script can run a second time.
kubectl label namespace "$NAMESPACE" purpose=batch-processing environment=production --overwrite

# Storage for batch processing. ReadWriteMany on the class "standard" depends on the cluster. kiln's gives it.
cat << EOF | kubectl apply -f -
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: batch-storage
  namespace: $NAMESPACE
  labels:
    app: batch-processing
    type: storage
spec:
  accessModes:
  - ReadWriteMany
  resources:
    requests:
      storage: 5Gi
  storageClassName: standard
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: batch-logs
  namespace: $NAMESPACE
  labels:
    app: batch-processing
    type: logs
spec:
  accessModes:
  - ReadWriteOnce
  resources:
    requests:
      storage: 2Gi
  storageClassName: standard
EOF

# The scripts. Corrected:
#   - data-processor.sh wrote to /data/results, which nobody made: every batch failed. It makes the directory now.
#   - "started" was computed when the result was written; it is taken at the start now.
#   - cleanup.sh could remove /data/work itself once that was an hour old, with the workers' directories in it (-mindepth 1), and
#     searched directories it had just removed (-maxdepth 1); where nothing had run yet it stopped at the missing directories.
#   - #!/bin/bash: busybox has no bash, and the Jobs call /bin/sh.
cat << EOF | kubectl apply -f -
apiVersion: v1
kind: ConfigMap
metadata:
  name: batch-scripts
  namespace: $NAMESPACE
data:
  data-processor.sh: |
    #!/bin/sh
    set -e
    STARTED="\$(date -Iseconds)"
    echo "=== Batch Processor \$HOSTNAME Starting at \$(date) ==="

    # Create unique work directory
    WORK_DIR="/data/work/\${HOSTNAME}-\$(date +%s)"
    mkdir -p "\$WORK_DIR" /data/results

    # Simulate data processing
    echo "Processing batch data in \$WORK_DIR"
    for i in \$(seq 1 10); do
        echo "Processing item \$i/10 at \$(date)" >> "\$WORK_DIR/process.log"
        # Simulate varying processing times
        sleep \$((RANDOM % 5 + 1))
    done

    # Generate results
    RESULT_FILE="/data/results/result-\${HOSTNAME}-\$(date +%Y%m%d_%H%M%S).json"
    cat > "\$RESULT_FILE" << EOJ
    {
      "worker": "\$HOSTNAME",
      "started": "\$STARTED",
      "completed": "\$(date -Iseconds)",
      "items_processed": 10,
      "work_directory": "\$WORK_DIR",
      "status": "success"
    }
    EOJ

    echo "=== Batch Processor \$HOSTNAME Completed Successfully ==="

  cleanup.sh: |
    #!/bin/sh
    echo "=== Cleanup Job Starting at \$(date) ==="
    mkdir -p /data/work /data/results

    # Clean work directories older than 1 hour
    find /data/work -mindepth 1 -maxdepth 1 -type d -mmin +60 -exec rm -rf {} +

    # Clean old result files (keep last 50)
    cd /data/results
    ls -t *.json 2>/dev/null | tail -n +51 | xargs rm -f

    # Log cleanup summary
    WORK_DIRS=\$(find /data/work -mindepth 1 -maxdepth 1 -type d | wc -l)
    RESULT_FILES=\$(ls /data/results/*.json 2>/dev/null | wc -l)

    echo "Cleanup completed: \$WORK_DIRS work directories, \$RESULT_FILES result files remaining"
    echo "Cleanup completed at \$(date)" >> /logs/cleanup.log
EOF

# The parallel batch processing Job. Corrected: BATCH_ID was "batch-\$(date …)", but no shell reads an env value, so every pod got
# that text as it stands. Its own name, which is unique, comes from a fieldRef.
cat << EOF | kubectl apply -f -
apiVersion: batch/v1
kind: Job
metadata:
  name: data-processing-batch
  namespace: $NAMESPACE
  labels:
    app: batch-processing
    type: parallel-job
spec:
  parallelism: 5          # 5 workers running simultaneously
  completions: 20         # Process 20 batches total
  backoffLimit: 3         # Allow some failures
  activeDeadlineSeconds: 1800  # 30 minutes maximum
  template:
    metadata:
      labels:
        app: batch-processing
        role: worker
    spec:
      containers:
      - name: batch-processor
        image: busybox:1.35
        command: ["/bin/sh", "/scripts/data-processor.sh"]
        volumeMounts:
        - name: batch-scripts
          mountPath: /scripts
        - name: batch-storage
          mountPath: /data
        - name: batch-logs
          mountPath: /logs
        resources:
          limits:
            memory: "256Mi"
            cpu: "500m"
          requests:
            memory: "128Mi"
            cpu: "250m"
        env:
        - name: BATCH_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
      volumes:
      - name: batch-scripts
        configMap:
          name: batch-scripts
          defaultMode: 0755
      - name: batch-storage
        persistentVolumeClaim:
          claimName: batch-storage
      - name: batch-logs
        persistentVolumeClaim:
          claimName: batch-logs
      restartPolicy: Never
EOF

# The cleanup CronJob. Corrected: only the CronJob itself had the label purpose=cleanup, so `kubectl logs -l purpose=cleanup` found
# no pod; the pods have it now.
cat << EOF | kubectl apply -f -
apiVersion: batch/v1
kind: CronJob
metadata:
  name: batch-cleanup
  namespace: $NAMESPACE
  labels:
    app: batch-processing
    purpose: cleanup
spec:
  schedule: "0 */4 * * *"  # Every 4 hours
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 1
  jobTemplate:
    spec:
      template:
        metadata:
          labels:
            app: batch-processing
            purpose: cleanup
        spec:
          containers:
          - name: cleanup
            image: busybox:1.35
            command: ["/bin/sh", "/scripts/cleanup.sh"]
            volumeMounts:
            - name: batch-scripts
              mountPath: /scripts
            - name: batch-storage
              mountPath: /data
            - name: batch-logs
              mountPath: /logs
            resources:
              limits:
                memory: "128Mi"
                cpu: "250m"
              requests:
                memory: "64Mi"
                cpu: "100m"
          volumes:
          - name: batch-scripts
            configMap:
              name: batch-scripts
              defaultMode: 0755
          - name: batch-storage
            persistentVolumeClaim:
              claimName: batch-storage
          - name: batch-logs
            persistentVolumeClaim:
              claimName: batch-logs
          restartPolicy: OnFailure
EOF

echo "✅ Enterprise batch processing system deployed successfully!"
echo ""
echo "📊 Monitoring Commands:"
echo "   Watch job progress:     kubectl get jobs -n $NAMESPACE -w"
echo "   View worker pods:       kubectl get pods -n $NAMESPACE -l role=worker"
# Corrected: kubectl follows at most five logs unless told otherwise, and finished pods count; from a label it shows ten lines each.
echo "   Check processing logs:  kubectl logs -n $NAMESPACE -l role=worker --prefix=true -f --max-log-requests=20 --tail=-1"
echo "   View cleanup schedule:  kubectl get cronjob -n $NAMESPACE"
echo ""
echo "🔍 Inspection Commands:"
# Corrected: the first worker in the list may have finished, and nothing can be executed in a finished pod.
echo "   Check results:          kubectl exec -n $NAMESPACE \$(kubectl get pod -n $NAMESPACE -l role=worker --field-selector=status.phase=Running -o name | head -1) -- ls -la /data/results/"
echo "   View cleanup logs:      kubectl logs -n $NAMESPACE -l purpose=cleanup"
echo ""
echo "🧹 Cleanup:"
echo "   Remove everything:      kubectl delete namespace $NAMESPACE"
